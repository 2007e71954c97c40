fn main() {
    let text = String::new();
    let other = text;
    println!("{}{}", text, other);
}
