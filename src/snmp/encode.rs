//! Messages to bytes (BER, X.690).
