//! Black-box tests: the true binary in temporary workspaces. A module per promise, and the oracle
//! that holds random graphs against computed answers.

mod badinput;
mod cli;
mod completions;
mod crash;
mod depfiles;
mod docs;
mod environment;
mod events;
mod failure;
mod foreign;
mod freshness;
mod graphs;
mod layers;
mod live;
mod moving;
mod names;
mod oracle;
mod outputs;
mod programs;
mod project;
mod readonly;
mod real_c;
mod rebuild;
mod scale;
mod signals;
mod state;
mod streams;
mod terminal;
mod together;
mod tools;
mod toy;
mod trace;
mod tree;
mod why;
mod words;
