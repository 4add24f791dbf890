mod day;
mod events;
mod ports;
mod snapshots;
mod world;
