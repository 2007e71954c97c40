let () = ignore (List.nth [ 1; 2 ] 1000)
