let () =
  let held = ref [] in
  while true do
    held := Bytes.make (1 lsl 20) 'x' :: !held
  done
