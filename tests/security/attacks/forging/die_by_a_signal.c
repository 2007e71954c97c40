// attack: end with SIGKILL, as if the box had killed the program
// contained: that is a runtime error unless a limit was exceeded
// expect: runtime_error

#include <signal.h>
int main(void) { raise(SIGKILL); }
