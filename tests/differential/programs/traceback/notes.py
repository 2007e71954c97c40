# Notes of an exception follow its message.
e = ValueError("main message")
e.add_note("note one")
e.add_note("note two\nwith a second line")
raise e
