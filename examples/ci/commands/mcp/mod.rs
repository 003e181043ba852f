//! `ci mcp`: answers questions about runs over the Model Context Protocol
//! (<https://modelcontextprotocol.io>), on standard input and output.

mod answers;
mod asks;
mod command;
mod server;
mod tools;

pub(crate) use command::{McpArgs, mcp};
