defmodule NetAuto.MixProject do
  use Mix.Project

  def project do
    [
      app: :net_auto,
      version: "0.1.0",
      elixir: "~> 1.19",
      deps: deps(),
      test_coverage: [tool: ExCoveralls]
    ]
  end

  defp deps do
    [
      {:phoenix, "~> 1.8"},
      {:ecto_sql, "~> 3.13"},
      {:credo, "~> 1.7", only: [:dev, :test]},
      {:excoveralls, "~> 0.18", only: :test}
    ]
  end
end
