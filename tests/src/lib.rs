//! The judge of Roda: nodes as real processes, an attacker, a simulator, and events made to order.
//!
//! Each test has networks and homes of its own and listens on loopback only. Waiting is for a condition, with a deadline
//! (`wait`); no test waits for a fixed time.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `binary` | the `roda` binary, built once |
//! | `book`, `homes` | executed pages, and the homes whose nodes they start |
//! | `cluster` | a node: its process, its home, its commands |
//! | `socket` | the local API without a command in between: the stream of news, and what has to be fast |
//! | `page` | the web page, asked as a browser asks |
//! | `forge` | signed events in any number, and broken ones |
//! | `attacker` | a libp2p program that breaks every rule |
//! | `attack` | crowds of attackers, and what they cost a node and its honest peers |
//! | `exchange`, `pairs` | two sets in memory that compare themselves through real messages |
//! | `negentropy` | the same sets, compared by the crate of that name |
//! | `clock`, `fast` | a thread's time; processes whose clocks run faster |
//! | `chance` | random numbers from a seed that is printed |
//! | `sim` | whole networks of engines on virtual time, with faults, hostile nodes and checkers |
//! | `hosts` | networks of hosts: namespaces, routers, NAT, weather |
//! | `crash` | a node that is killed at random points amid its work |
//! | `powercut` | a node under which the power goes |
//! | `loopdisk` | disks that a test has for itself |
//! | `wait` | deadlines |

pub mod attack;
pub mod attacker;
pub mod binary;
pub mod book;
pub mod chance;
pub mod clock;
pub mod cluster;
pub mod crash;
pub mod exchange;
pub mod fast;
pub mod forge;
pub mod homes;
pub mod hosts;
pub mod loopdisk;
pub mod mixture;
pub mod negentropy;
pub mod page;
pub mod pairs;
pub mod powercut;
pub mod sim;
pub mod socket;
pub mod wait;

pub use binary::roda_binary;
