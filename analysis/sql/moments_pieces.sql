SELECT * FROM pieces;
