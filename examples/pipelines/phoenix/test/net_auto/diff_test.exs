defmodule NetAuto.DiffTest do
  use ExUnit.Case, async: true

  alias NetAuto.Diff

  test "added lines" do
    assert Diff.added(["a"], ["a", "b"]) == ["b"]
  end

  test "removed lines" do
    assert Diff.removed(["a", "b"], ["a"]) == ["b"]
  end
end
