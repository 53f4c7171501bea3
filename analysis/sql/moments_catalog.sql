SELECT * FROM catalog;
