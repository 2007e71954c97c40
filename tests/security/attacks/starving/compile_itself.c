// attack: a source that includes itself
// contained: the compiler's depth limit, and then the box's limits
// expect: compile_error
// compile_limits: {"cpu_time_s": 2, "wall_time_s": 4}

#include "main.c"
#include "main.c"
