// attack: exec with more arguments than the kernel accepts
// contained: the exec fails in the program's own process
// expect: ok
// stdout: contained

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(void) {
    char **arguments = calloc(200001, sizeof *arguments);
    char *word = malloc(4096);
    memset(word, 'x', 4095), word[4095] = 0;
    for (int i = 0; i < 200000; i++) arguments[i] = word;
    execv("/bin/true", arguments);
    puts("contained");
}
