fn main() {
    let mut count = 0u64;
    loop {
        count = unsafe { std::ptr::read_volatile(&count) }.wrapping_add(1);
    }
}
