[count | numbers] = IO.read(:stdio, :all) |> String.split() |> Enum.map(&String.to_integer/1)
IO.puts(numbers |> Enum.take(count) |> Enum.sum())
