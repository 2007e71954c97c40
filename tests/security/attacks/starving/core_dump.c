// attack: crash with a large memory, so that a core file fills the disk or a helper of the host starts
// contained: the core limit of one byte stops both
// expect: runtime_error

#include <stdlib.h>
#include <string.h>
int main(void) {
    memset(malloc(20 << 20), 1, 20 << 20);
    abort();
}
