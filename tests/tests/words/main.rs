//! The words that people read before they approve, against other readers of the same bytes.

mod descriptor_words;
mod words_differential;
