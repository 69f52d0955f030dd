export const part = "l3-5";
