// attack: take files of the supervisor into the program through the compiler
// contained: the compiler runs under the same isolation as the program
// expect: compile_error

#include "/proc/1/environ"
__asm__(".incbin \"/etc/shadow\"");
int main(void) { return 0; }
