defmodule NetAuto.VlanTest do
  use ExUnit.Case, async: true

  alias NetAuto.Vlan

  test "numbers from 1 to 4094 are valid" do
    assert Vlan.valid?(1)
    assert Vlan.valid?(4094)
    refute Vlan.valid?(4095)
  end

  test "names have four digits" do
    assert Vlan.name(12) == "VLAN0012"
  end

  test "a range is all its numbers" do
    assert Vlan.range("10-12") == [10, 11, 12]
  end
end
