let () =
  Scanf.scanf " %d" (fun count ->
      let numbers = List.init count (fun _ -> Scanf.scanf " %d" Fun.id) in
      Printf.printf "%d\n" (List.fold_left ( + ) 0 numbers))
