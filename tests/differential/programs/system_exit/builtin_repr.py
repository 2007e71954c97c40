# exit, quit and help have their usual repr.
print(exit, quit, repr(help))
print(copyright.__class__.__name__, license.__class__.__name__, credits.__class__.__name__)
