exec("raise SystemExit('from exec')")
