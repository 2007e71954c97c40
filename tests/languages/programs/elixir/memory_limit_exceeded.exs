defmodule Hungry do
  def hold(held), do: hold([:binary.copy(<<1>>, 1_048_576) | held])
end

Hungry.hold([])
