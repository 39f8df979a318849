//! What views are made of: pieces of text that fit, bars, a line to type in. Nothing here knows what
//! is shown.

mod field;
mod meter;
mod spark;
mod text;

pub(super) use self::{
    field::field,
    meter::{meter, plot},
    spark::{bar, spark},
    text::{clip, clip_front, clip_name, fit, fit_name, fit_right, piece, put, total, width},
};
