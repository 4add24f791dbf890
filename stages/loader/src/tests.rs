mod day;
mod embedded;
mod events;
mod slots;
mod snapshots;
mod warehouse;
mod world;
