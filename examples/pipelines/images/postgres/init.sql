CREATE TABLE greetings (words text);
