export const part = "l1-0";
