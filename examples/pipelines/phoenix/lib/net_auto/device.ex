defmodule NetAuto.Device do
  @moduledoc "A device of the network."

  defstruct [:host, :kind]

  @doc "A device by its host name, of which the first letters say what it is."
  def new("sw" <> _ = host), do: %__MODULE__{host: host, kind: :switch}
  def new(host), do: %__MODULE__{host: host, kind: :router}

  @doc "The line that opens its configuration."
  def banner(device), do: "hostname #{device.host}"
end
