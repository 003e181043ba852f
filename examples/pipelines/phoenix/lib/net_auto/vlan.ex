defmodule NetAuto.Vlan do
  @moduledoc "Numbers of virtual networks."

  @doc "Whether a number can be that of a network."
  def valid?(id), do: id in 1..4094

  @doc "The name of a network in a configuration."
  def name(id), do: "VLAN" <> String.pad_leading(Integer.to_string(id), 4, "0")

  @doc "The numbers of a range such as 10-12."
  def range(text) do
    [first, last] = String.split(text, "-")
    Enum.to_list(String.to_integer(first)..String.to_integer(last))
  end
end
