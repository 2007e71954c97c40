# A missing module gets the usual message.
import no_such_module_at_all
