// attack: have the compiler wait for its stdin
// contained: it is empty
// expect: ok, compile_error

#include "/dev/stdin"
int main(void) { return 0; }
