import { useEffect, useState } from "preact/hooks";
import { Live, type Topics, type View } from "./live";

/** Watch topics for as long as the component is there; undefined before the first word. The same object of topics must be given each time. */
export function useLive(topics: Topics): View | undefined {
  const [view, setView] = useState<View>();
  useEffect(() => {
    const live = new Live(topics, setView);
    return () => live.close();
  }, [topics]);
  return view;
}
