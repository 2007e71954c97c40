// attack: leave a POSIX message queue
// contained: the filter refuses it
// expect: ok
// stdout: contained

#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
int main(void) {
    puts(mq_open("/left", O_CREAT | O_RDWR, 0666, 0) >= 0 ? "ESCAPED: queue" : "contained");
}
