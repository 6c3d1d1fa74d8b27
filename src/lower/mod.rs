//! From syntax trees to the resolved configuration; the only module that imports the parser.
