// attack: templates instantiated without end
// contained: the compiler's own limits
// expect: compile_error
// compile_limits: {"cpu_time_s": 1, "wall_time_s": 4, "memory_mb": 256}

template <int N, typename T> struct Tree { typename Tree<N - 1, Tree<N, T>>::type a; typename Tree<N - 1, T*>::type b; using type = Tree; };
template <typename T> struct Tree<0, T> { using type = T; };
Tree<28, int> tree;
int main() {}
