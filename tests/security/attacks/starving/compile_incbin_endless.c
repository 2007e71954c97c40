// attack: have the assembler read a device without end
// contained: the compiler's own limits
// expect: ok, compile_error
// compile_limits: {"cpu_time_s": 1, "wall_time_s": 4, "memory_mb": 256}

__asm__(".incbin \"/dev/zero\"");
int main(void) { return 0; }
