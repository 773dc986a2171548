//! The expression language: values, evaluation, functions, formatting.
