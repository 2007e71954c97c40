// attack: error messages without end
// contained: the output limit of a compilation
// expect: compile_error
// compile_limits: {"cpu_time_s": 2, "wall_time_s": 4, "output_kb": 64}

#define X undeclared(no, such, thing);
#define Y X X X X X X X X X X
#define Z Y Y Y Y Y Y Y Y Y Y
#pragma GCC diagnostic error "-Wall"
int main() { Z Z Z Z Z Z Z Z Z Z }
