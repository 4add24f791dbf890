mod day;
mod embedded;
mod events;
mod ports;
mod slots;
mod snapshots;
mod world;
