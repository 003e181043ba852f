defmodule NetAuto.DeviceTest do
  use ExUnit.Case, async: true

  alias NetAuto.Device

  test "the name says what a device is" do
    assert Device.new("sw-1").kind == :switch
    assert Device.new("edge").kind == :router
  end

  test "the banner names the host" do
    assert Device.banner(Device.new("sw-1")) == "hostname sw-1"
  end
end
