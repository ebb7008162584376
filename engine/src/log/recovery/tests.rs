mod crashes;
mod damage;
mod indexes;
mod segments;
mod support;
mod torn;
mod verify;
