//! The web door as a browser and a printer see it.
