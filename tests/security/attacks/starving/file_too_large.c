// attack: write a file over the limit
// contained: SIGXFSZ ends the program
// expect: runtime_error

#include <fcntl.h>
#include <unistd.h>
static char block[1 << 20];
int main(void) {
    int file = open("big", O_CREAT | O_WRONLY, 0600);
    for (int i = 0; i < 40; i++)
        if (write(file, block, sizeof block) < 0) return 0;
    return 0;
}
