defmodule NetAuto.Diff do
  @moduledoc "What two configurations differ in."

  @doc "The lines that only the second has."
  def added(old, new), do: new -- old

  @doc "The lines that only the first has."
  def removed(old, new), do: old -- new
end
