//! `clients ADDR COUNT`: holds COUNT connections and reads none of them, until it is killed. Prints `open` when they are open.

use scorecard::support::Client;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (addr, count) = (args[0].parse().unwrap(), args[1].parse().unwrap());
    let clients: Vec<Client> = (0..count).map(|_| Client::connect(addr)).collect();
    println!("open");
    loop {
        std::thread::park();
        assert_eq!(clients.len(), count);
    }
}
