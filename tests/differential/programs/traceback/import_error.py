# A missing name in a module gets the usual message.
from os import no_such_thing
