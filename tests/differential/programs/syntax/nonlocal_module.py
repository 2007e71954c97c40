# nonlocal at module level is an error.
nonlocal x
