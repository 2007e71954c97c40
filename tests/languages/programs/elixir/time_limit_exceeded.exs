defmodule Looping do
  def loop(), do: loop()
end

Looping.loop()
