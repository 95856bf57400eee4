// The same on Express 4, which lies beside Express 5 here.
process.env.EXPRESS = "express4";
require("./express.cjs");
