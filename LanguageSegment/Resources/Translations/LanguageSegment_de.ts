<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de" sourcelanguage="en">
 <context>
  <name>LanguageSegment</name>
  <message>
   <source>A checkpoint folder with weights.safetensors and card.json, or a .safetensors file.</source>
   <translation>Ein Ordner mit weights.safetensors und card.json oder eine .safetensors-Datei.</translation>
  </message>
  <message>
   <source>A report of the scene, or a new one.</source>
   <translation>Ein Befund der Szene oder ein neuer.</translation>
  </message>
  <message>
   <source>Add volume and report</source>
   <translation>Volumen und Bericht aufnehmen</translation>
  </message>
  <message>
   <source>Another folder or file</source>
   <translation>Anderer Ordner oder andere Datei</translation>
  </message>
  <message>
   <source>Apple graphics (MPS)</source>
   <translation>Apple-Grafik (MPS)</translation>
  </message>
  <message>
   <source>Apply</source>
   <translation>Anwenden</translation>
  </message>
  <message>
   <source>Automatic</source>
   <translation>Automatisch</translation>
  </message>
  <message>
   <source>Batch</source>
   <translation>Stapel</translation>
  </message>
  <message>
   <source>Bundled weights</source>
   <translation>Mitgelieferte Gewichte</translation>
  </message>
  <message>
   <source>Choose a volume</source>
   <translation>Volumen wählen</translation>
  </message>
  <message>
   <source>Chosen sentence only</source>
   <translation>Nur der gewählte Satz</translation>
  </message>
  <message>
   <source>Copy a description of this installation, without any report text, to the clipboard.</source>
   <translation>Eine Beschreibung dieser Installation ohne jeden Befundtext in die Zwischenablage kopieren.</translation>
  </message>
  <message>
   <source>Copy as command line</source>
   <translation>Als Befehlszeile kopieren</translation>
  </message>
  <message>
   <source>Copy diagnosis</source>
   <translation>Diagnose kopieren</translation>
  </message>
  <message>
   <source>Copy the command that makes the same run without Slicer.</source>
   <translation>Den Befehl kopieren, der dasselbe ohne Slicer rechnet.</translation>
  </message>
  <message>
   <source>Cut only the chosen sentence's segment again.</source>
   <translation>Nur das Segment des gewählten Satzes neu schneiden.</translation>
  </message>
  <message>
   <source>Cut the segments again at another probability; the network is not run.</source>
   <translation>Die Segmente bei einer anderen Wahrscheinlichkeit neu schneiden; das Netz rechnet dabei nicht.</translation>
  </message>
  <message>
   <source>Device:</source>
   <translation>Gerät:</translation>
  </message>
  <message>
   <source>Explain</source>
   <translation>Erklären</translation>
  </message>
  <message>
   <source>Explanation map</source>
   <translation>Erklärungskarte</translation>
  </message>
  <message>
   <source>Export the segmentation as DICOM SEG.</source>
   <translation>Die Segmentierung als DICOM SEG exportieren.</translation>
  </message>
  <message>
   <source>Findings</source>
   <translation>Befunde</translation>
  </message>
  <message>
   <source>Folder for the results and for what is needed to go on after a stop. It holds scans and reports, so keep it as safe as they are.</source>
   <translation>Ordner für die Ergebnisse und für das, was zum Fortfahren nötig ist. Er enthält Bilder und Berichte, bewahren Sie ihn also so sicher auf wie diese.</translation>
  </message>
  <message>
   <source>Folder or file:</source>
   <translation>Ordner oder Datei:</translation>
  </message>
  <message>
   <source>Force a segment</source>
   <translation>Segment erzwingen</translation>
  </message>
  <message>
   <source>Give each field of the report, such as FINDINGS and IMPRESSION, a segmentation of its own.</source>
   <translation>Jedem Abschnitt des Befundes, etwa FINDINGS und IMPRESSION, eine eigene Segmentierung geben.</translation>
  </message>
  <message>
   <source>Give the chosen sentence a segment although it is negated, uncertain or absent.</source>
   <translation>Dem gewählten Satz ein Segment geben, obwohl er verneint, unsicher oder ohne Fund ist.</translation>
  </message>
  <message>
   <source>Grey values:</source>
   <translation>Grauwerte:</translation>
  </message>
  <message>
   <source>Hide the map</source>
   <translation>Karte ausblenden</translation>
  </message>
  <message>
   <source>Hounsfield units (CT)</source>
   <translation>Hounsfield-Einheiten (CT)</translation>
  </message>
  <message>
   <source>How strongly the map covers the volume.</source>
   <translation>Wie stark die Karte das Volumen überdeckt.</translation>
  </message>
  <message>
   <source>Install packages ...</source>
   <translation>Pakete installieren ...</translation>
  </message>
  <message>
   <source>Install the Python packages that the network needs; asks first.</source>
   <translation>Die Python-Pakete installieren, die das Netz braucht; fragt vorher.</translation>
  </message>
  <message>
   <source>Language Segment</source>
   <translation>Language Segment</translation>
  </message>
  <message>
   <source>Let a run replace segments that were changed by hand; otherwise they are kept.</source>
   <translation>Segmente ersetzen lassen, die von Hand geändert wurden; sonst bleiben sie.</translation>
  </message>
  <message>
   <source>Load report ...</source>
   <translation>Befund laden ...</translation>
  </message>
  <message>
   <source>Load sample</source>
   <translation>Beispiel laden</translation>
  </message>
  <message>
   <source>Load the chest CT and the report that come with the module.</source>
   <translation>Das mitgelieferte Thorax-CT mit seinem Befund laden.</translation>
  </message>
  <message>
   <source>Map:</source>
   <translation>Karte:</translation>
  </message>
  <message>
   <source>Marks in a scan what each sentence of its written report describes, one segment per sentence. For research only, not for clinical use. See the &lt;a href="{homepage}"&gt;documentation&lt;/a&gt;.</source>
   <translation>Markiert in einer Aufnahme, was jeder Satz ihres schriftlichen Befundes beschreibt, ein Segment je Satz. Nur für die Forschung, nicht für die klinische Anwendung. Siehe die &lt;a href="{homepage}"&gt;Dokumentation&lt;/a&gt;.</translation>
  </message>
  <message>
   <source>NVIDIA graphics card (CUDA)</source>
   <translation>NVIDIA-Grafikkarte (CUDA)</translation>
  </message>
  <message>
   <source>New report</source>
   <translation>Neuer Befund</translation>
  </message>
  <message>
   <source>One row for each sentence. A click shows its segment, a double click on the sentence edits it.</source>
   <translation>Eine Zeile je Satz. Ein Klick zeigt sein Segment, ein Doppelklick auf den Satz bearbeitet ihn.</translation>
  </message>
  <message>
   <source>One segmentation for each field</source>
   <translation>Eine Segmentierung je Abschnitt</translation>
  </message>
  <message>
   <source>Opacity:</source>
   <translation>Deckkraft:</translation>
  </message>
  <message>
   <source>Picture</source>
   <translation>Bild</translation>
  </message>
  <message>
   <source>Processor (CPU)</source>
   <translation>Prozessor (CPU)</translation>
  </message>
  <message>
   <source>Put weights, device and all settings back as they were at first.</source>
   <translation>Gewichte, Gerät und alle Einstellungen auf den Anfang zurücksetzen.</translation>
  </message>
  <message>
   <source>Read the report from a text, JSON or DICOM structured report file.</source>
   <translation>Den Befund aus einer Text-, JSON- oder DICOM-SR-Datei lesen.</translation>
  </message>
  <message>
   <source>Remove row</source>
   <translation>Zeile entfernen</translation>
  </message>
  <message>
   <source>Replace segments edited by hand</source>
   <translation>Von Hand geänderte Segmente ersetzen</translation>
  </message>
  <message>
   <source>Report:</source>
   <translation>Befund:</translation>
  </message>
  <message>
   <source>Reset settings</source>
   <translation>Einstellungen zurücksetzen</translation>
  </message>
  <message>
   <source>Results elsewhere</source>
   <translation>Ergebnisse weitergeben</translation>
  </message>
  <message>
   <source>Run sentence again</source>
   <translation>Satz erneut rechnen</translation>
  </message>
  <message>
   <source>Run the chosen sentence again, such as after editing it.</source>
   <translation>Den gewählten Satz erneut rechnen, etwa nach einer Änderung.</translation>
  </message>
  <message>
   <source>Run the table</source>
   <translation>Tabelle berechnen</translation>
  </message>
  <message>
   <source>Save table ...</source>
   <translation>Tabelle speichern ...</translation>
  </message>
  <message>
   <source>Save the findings as a CSV file.</source>
   <translation>Die Befunde als CSV-Datei speichern.</translation>
  </message>
  <message>
   <source>Scan and report</source>
   <translation>Aufnahme und Befund</translation>
  </message>
  <message>
   <source>Segment what the report's sentences say. Ctrl+Enter does the same.</source>
   <translation>Segmentieren, was die Sätze des Befundes sagen. Strg+Eingabe tut dasselbe.</translation>
  </message>
  <message>
   <source>Send to DICOM ...</source>
   <translation>An DICOM senden ...</translation>
  </message>
  <message>
   <source>Settings</source>
   <translation>Einstellungen</translation>
  </message>
  <message>
   <source>Show what the network saw for the chosen sentence.</source>
   <translation>Zeigen, was das Netz beim gewählten Satz gesehen hat.</translation>
  </message>
  <message>
   <source>Step back</source>
   <translation>Schritt zurück</translation>
  </message>
  <message>
   <source>Take the map off the volume.</source>
   <translation>Die Karte vom Volumen nehmen.</translation>
  </message>
  <message>
   <source>The networks are re-implementations; the papers that describe them are named in the documentation.</source>
   <translation>Die Netze sind nachgebaut; die Arbeiten, die sie beschreiben, nennt die Dokumentation.</translation>
  </message>
  <message>
   <source>The report's text. Ctrl+Enter runs it.</source>
   <translation>Der Text des Befundes. Strg+Eingabe rechnet ihn.</translation>
  </message>
  <message>
   <source>The scan that the report describes.</source>
   <translation>Die Aufnahme, die der Befund beschreibt.</translation>
  </message>
  <message>
   <source>Threshold</source>
   <translation>Schwellenwert</translation>
  </message>
  <message>
   <source>Type or paste the report, or load it from a file.</source>
   <translation>Befund schreiben, einfügen oder aus einer Datei laden.</translation>
  </message>
  <message>
   <source>Undo the last change that the module made to the segments.</source>
   <translation>Die letzte Änderung des Moduls an den Segmenten rückgängig machen.</translation>
  </message>
  <message>
   <source>Volume:</source>
   <translation>Volumen:</translation>
  </message>
  <message>
   <source>Volumes of the scene with their reports, run one after another.</source>
   <translation>Volumen der Szene mit ihren Berichten, nacheinander berechnet.</translation>
  </message>
  <message>
   <source>Weights and device</source>
   <translation>Gewichte und Gerät</translation>
  </message>
  <message>
   <source>Weights:</source>
   <translation>Gewichte:</translation>
  </message>
  <message>
   <source>What computes. Automatic takes a graphics card if a test computation succeeds on it.</source>
   <translation>Was rechnet. Automatisch nimmt eine Grafikkarte, wenn eine Proberechnung auf ihr gelingt.</translation>
  </message>
  <message>
   <source>What the volume's numbers are. Automatic decides by the values.</source>
   <translation>Was die Zahlen des Volumens bedeuten. Automatisch entscheidet nach den Werten.</translation>
  </message>
  <message>
   <source>Which map of the chosen sentence lies over the volume.</source>
   <translation>Welche Karte des gewählten Satzes über dem Volumen liegt.</translation>
  </message>
  <message>
   <source>Which trained network reads the report.</source>
   <translation>Welches trainierte Netz den Befund liest.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.batch_pairs</name>
  <message>
   <source>No volume of the scene was given for the batch table; choose one.</source>
   <translation>Für die Stapeltabelle wurde kein Volumen der Szene angegeben; wählen Sie eines.</translation>
  </message>
  <message>
   <source>The volume '{name}' has no report to run; choose or type one.</source>
   <translation>Das Volumen '{name}' hat keinen Bericht; wählen oder schreiben Sie einen.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.batch_run</name>
  <message>
   <source>Cancelled as asked; nothing was run.</source>
   <translation>Wie gewünscht abgebrochen; es wurde nichts berechnet.</translation>
  </message>
  <message>
   <source>Cannot write {path}: {why}; choose a folder that can be written and has free space.</source>
   <translation>{path} kann nicht geschrieben werden: {why}; wählen Sie einen beschreibbaren Ordner mit freiem Platz.</translation>
  </message>
  <message>
   <source>The batch table is empty; add volumes with their reports first.</source>
   <translation>Die Stapeltabelle ist leer; nehmen Sie erst Volumen mit ihren Berichten auf.</translation>
  </message>
  <message>
   <source>The scene was closed while the table was run; finished volumes are kept in its folder.</source>
   <translation>Die Szene wurde geschlossen, während die Tabelle lief; fertige Volumen bleiben in ihrem Ordner.</translation>
  </message>
  <message>
   <source>The volume or report of {name} was changed meanwhile; run the table again.</source>
   <translation>Volumen oder Bericht von {name} wurde inzwischen geändert; starten Sie die Tabelle noch einmal.</translation>
  </message>
  <message>
   <source>The volume or report of {name} was removed meanwhile; its result stays in the folder.</source>
   <translation>Volumen oder Bericht von {name} wurde inzwischen entfernt; das Ergebnis bleibt im Ordner.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.device_probe</name>
  <message>
   <source>Not tried yet.</source>
   <translation>Noch nicht probiert.</translation>
  </message>
  <message>
   <source>Trying the device ...</source>
   <translation>Gerät wird probiert ...</translation>
  </message>
  <message>
   <source>Will use {reason}</source>
   <translation>Es rechnet: {reason}</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.dicom_export</name>
  <message>
   <source>Install the extension QuantitativeReporting to export DICOM SEG.</source>
   <translation>Installieren Sie die Erweiterung QuantitativeReporting, um DICOM SEG zu exportieren.</translation>
  </message>
  <message>
   <source>This Slicer has no DICOM export.</source>
   <translation>Dieses Slicer hat keinen DICOM-Export.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.explanation</name>
  <message>
   <source>Cancelled as asked; nothing was written.</source>
   <translation>Wie gewünscht abgebrochen; es wurde nichts geschrieben.</translation>
  </message>
  <message>
   <source>Explanation: {name}</source>
   <translation>Erklärung: {name}</translation>
  </message>
  <message>
   <source>The explained volume is no longer in the scene; explain the sentence again.</source>
   <translation>Das erklärte Volumen ist nicht mehr in der Szene; erklären Sie den Satz noch einmal.</translation>
  </message>
  <message>
   <source>The explained volume was changed; explain the sentence again.</source>
   <translation>Das erklärte Volumen wurde geändert; erklären Sie den Satz noch einmal.</translation>
  </message>
  <message>
   <source>The volume was changed while the sentence was explained; explain it again.</source>
   <translation>Das Volumen wurde geändert, während der Satz erklärt wurde; erklären Sie ihn noch einmal.</translation>
  </message>
  <message>
   <source>The volume was removed while the sentence was explained; nothing was put into the scene.</source>
   <translation>Das Volumen wurde entfernt, während der Satz erklärt wurde; es kam nichts in die Szene.</translation>
  </message>
  <message>
   <source>{name} for "{sentence}": {meaning}. Blue is {lowest}, red is {highest}.</source>
   <translation>{name} für „{sentence}“: {meaning}. Blau ist {lowest}, Rot ist {highest}.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.failures</name>
  <message>
   <source>Memory ran out; close other programs or choose a smaller volume, then press Apply again.</source>
   <translation>Der Arbeitsspeicher ist erschöpft; schließen Sie andere Programme oder wählen Sie ein kleineres Volumen und drücken Sie erneut Anwenden.</translation>
  </message>
  <message>
   <source>The disk is full at {place}; free some space and try again.</source>
   <translation>Der Datenträger ist voll bei {place}; schaffen Sie Platz und versuchen Sie es erneut.</translation>
  </message>
  <message>
   <source>There is no right to write {place}; choose another folder.</source>
   <translation>Es fehlt das Recht, {place} zu schreiben; wählen Sie einen anderen Ordner.</translation>
  </message>
  <message>
   <source>This is a defect of the module ({kind}); the Python console shows more, please report it.</source>
   <translation>Das ist ein Fehler des Moduls ({kind}); die Python-Konsole zeigt mehr, bitte melden Sie ihn.</translation>
  </message>
  <message>
   <source>choose the processor (CPU) as device, or a smaller volume</source>
   <translation>wählen Sie den Prozessor (CPU) als Gerät oder ein kleineres Volumen</translation>
  </message>
  <message>
   <source>press Install packages in the section Settings</source>
   <translation>drücken Sie Pakete installieren im Abschnitt Einstellungen</translation>
  </message>
  <message>
   <source>the folder</source>
   <translation>dem Ordner</translation>
  </message>
  <message>
   <source>{place} could not be used ({why}); choose another file or folder.</source>
   <translation>{place} konnte nicht verwendet werden ({why}); wählen Sie eine andere Datei oder einen anderen Ordner.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.findings_table</name>
  <message>
   <source>No voxel reaches the threshold.</source>
   <translation>Kein Voxel erreicht den Schwellenwert.</translation>
  </message>
  <message>
   <source>The sentence was edited since it was run.</source>
   <translation>Der Satz wurde bearbeitet, seit er gerechnet wurde.</translation>
  </message>
  <message>
   <source>The sentence was edited since its segment was made.</source>
   <translation>Der Satz wurde bearbeitet, seit sein Segment entstand.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.history</name>
  <message>
   <source>The segment {name!r} was edited by hand, expected it as it was made; undo the edit first, or ask for edited segments to be replaced.</source>
   <translation>Das Segment {name!r} wurde von Hand geändert, erwartet wurde es wie erzeugt; nehmen Sie zuerst die Änderung zurück oder lassen Sie geänderte Segmente ersetzen.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.installer</name>
  <message>
   <source>Installing PyTorch was declined; nothing was installed.</source>
   <translation>Die Installation von PyTorch wurde abgelehnt; es wurde nichts installiert.</translation>
  </message>
  <message>
   <source>Installing the Python packages was declined; nothing was installed.</source>
   <translation>Die Installation der Python-Pakete wurde abgelehnt; es wurde nichts installiert.</translation>
  </message>
  <message>
   <source>PyTorch could not be installed; see the module PyTorch Utils, and restart Slicer.</source>
   <translation>PyTorch konnte nicht installiert werden; sehen Sie im Modul PyTorch Utils nach und starten Sie Slicer neu.</translation>
  </message>
  <message>
   <source>PyTorch is needed and the extension PyTorch is not installed; install it with the Extensions Manager and restart Slicer.</source>
   <translation>PyTorch wird gebraucht und die Erweiterung PyTorch ist nicht installiert; installieren Sie sie mit dem Extensions Manager und starten Sie Slicer neu.</translation>
  </message>
  <message>
   <source>PyTorch is not installed and is not taken from the folder; run this in a terminal: {command}</source>
   <translation>PyTorch ist nicht installiert und wird nicht aus dem Ordner genommen; führen Sie dies in einem Terminal aus: {command}</translation>
  </message>
  <message>
   <source>Still missing: {packages}; restart Slicer and try again.</source>
   <translation>Es fehlt noch: {packages}; starten Sie Slicer neu und versuchen Sie es noch einmal.</translation>
  </message>
  <message>
   <source>The folder {folder} holds no wheels; give one filled by pip download on another computer.</source>
   <translation>Der Ordner {folder} enthält keine Wheels; geben Sie einen an, den pip download auf einem anderen Rechner gefüllt hat.</translation>
  </message>
  <message>
   <source>This 3D Slicer brings {name} {installed}, but {requirement} is needed and Slicer's own packages are not replaced; use a newer 3D Slicer.</source>
   <translation>Dieser 3D Slicer bringt {name} {installed} mit, gebraucht wird aber {requirement}, und Slicers eigene Pakete werden nicht ersetzt; verwenden Sie einen neueren 3D Slicer.</translation>
  </message>
  <message>
   <source>To segment a report, Python packages are missing ({count}); they and what they depend on are downloaded and installed into Slicer's Python. Nothing that Slicer brings is replaced. Continue?</source>
   <translation>Um einen Befund zu segmentieren, fehlen Python-Pakete ({count}); sie und was sie brauchen werden heruntergeladen und in Slicers Python installiert. Nichts, was Slicer mitbringt, wird ersetzt. Fortfahren?</translation>
  </message>
  <message>
   <source>To segment a report, Python packages are missing ({count}); they and what they depend on are taken from {folder} and installed into Slicer's Python. Nothing that Slicer brings is replaced. Continue?</source>
   <translation>Um einen Befund zu segmentieren, fehlen Python-Pakete ({count}); sie und was sie brauchen werden aus {folder} genommen und in Slicers Python installiert. Nichts, was Slicer mitbringt, wird ersetzt. Fortfahren?</translation>
  </message>
  <message>
   <source>pip could not install {names} (exit code {code}); the Python console shows why; without a network, give a folder of wheels.</source>
   <translation>pip konnte {names} nicht installieren (Exit-Code {code}); die Python-Konsole zeigt warum; geben Sie ohne Netz einen Ordner mit Wheels an.</translation>
  </message>
  <message>
   <source>{name} was {before} as Slicer brought it and now is {version}; reinstall Slicer.</source>
   <translation>{name} war {before}, wie Slicer es mitbrachte, und ist jetzt {version}; installieren Sie Slicer neu.</translation>
  </message>
  <message>
   <source>{package} (through the extension PyTorch)</source>
   <translation>{package} (durch die Erweiterung PyTorch)</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.landing</name>
  <message>
   <source>1 of {total} sentences has a segment.</source>
   <translation>1 von {total} Sätzen hat ein Segment.</translation>
  </message>
  <message>
   <source>A segmentation was given and one for each field was asked for; choose one of the two.</source>
   <translation>Eine Segmentierung wurde angegeben und zugleich eine je Abschnitt verlangt; wählen Sie eines von beiden.</translation>
  </message>
  <message>
   <source>None of the {total} sentences has a segment.</source>
   <translation>Keiner der {total} Sätze hat ein Segment.</translation>
  </message>
  <message>
   <source>The node {name!r} is no segmentation; choose a segmentation node.</source>
   <translation>Der Knoten {name!r} ist keine Segmentierung; wählen Sie einen Segmentierungsknoten.</translation>
  </message>
  <message>
   <source>The segment {name!r} was edited by hand and is kept as it is.</source>
   <translation>Das Segment {name!r} wurde von Hand geändert und bleibt, wie es ist.</translation>
  </message>
  <message>
   <source>{count} of {total} sentences have a segment.</source>
   <translation>{count} von {total} Sätzen haben ein Segment.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.map_files</name>
  <message>
   <source>{path} is cut short; explain the sentence again.</source>
   <translation>{path} ist unvollständig; erklären Sie den Satz noch einmal.</translation>
  </message>
  <message>
   <source>{path} is missing or damaged; explain the sentence again.</source>
   <translation>{path} fehlt oder ist beschädigt; erklären Sie den Satz noch einmal.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.masks</name>
  <message>
   <source>The segmentation {segmentation} and the volume {volume} are under different transforms that are not linear; expected the same or linear ones; harden them or put both under one.</source>
   <translation>Die Segmentierung {segmentation} und das Volumen {volume} stehen unter verschiedenen Transformationen, die nicht linear sind; erwartet wurden dieselbe oder lineare; wenden Sie sie fest an oder stellen Sie beide unter eine.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.panel</name>
  <message>
   <source>All files</source>
   <translation>Alle Dateien</translation>
  </message>
  <message>
   <source>All settings are as they were at first.</source>
   <translation>Alle Einstellungen sind wieder wie am Anfang.</translation>
  </message>
  <message>
   <source>Apply</source>
   <translation>Anwenden</translation>
  </message>
  <message>
   <source>Cancel</source>
   <translation>Abbrechen</translation>
  </message>
  <message>
   <source>Give the chosen sentence a segment although it is negated, uncertain or absent.</source>
   <translation>Dem gewählten Satz ein Segment geben, obwohl er verneint, unsicher oder ohne Fund ist.</translation>
  </message>
  <message>
   <source>Install the Python packages that the network needs; asks first.</source>
   <translation>Die Python-Pakete installieren, die das Netz braucht; fragt vorher.</translation>
  </message>
  <message>
   <source>Load a report</source>
   <translation>Befund laden</translation>
  </message>
  <message>
   <source>Nothing has to be installed now.</source>
   <translation>Es muss jetzt nichts installiert werden.</translation>
  </message>
  <message>
   <source>Nothing was changed that could be undone.</source>
   <translation>Es wurde nichts geändert, das rückgängig gemacht werden könnte.</translation>
  </message>
  <message>
   <source>Only a sentence that is negated, uncertain, historical, normal, absent or not covered can be forced.</source>
   <translation>Erzwungen werden kann nur ein Satz, der verneint, unsicher, früher, normal, ohne Fund oder nicht abgedeckt ist.</translation>
  </message>
  <message>
   <source>Reports</source>
   <translation>Befunde</translation>
  </message>
  <message>
   <source>Run the chosen sentence again, such as after editing it.</source>
   <translation>Den gewählten Satz erneut rechnen, etwa nach einer Änderung.</translation>
  </message>
  <message>
   <source>Show what the network saw for the chosen sentence.</source>
   <translation>Zeigen, was das Netz beim gewählten Satz gesehen hat.</translation>
  </message>
  <message>
   <source>Stop; the scene stays as it was.</source>
   <translation>Anhalten; die Szene bleibt, wie sie war.</translation>
  </message>
  <message>
   <source>The report can be changed when the run has ended.</source>
   <translation>Der Befund kann geändert werden, wenn der Lauf zu Ende ist.</translation>
  </message>
  <message>
   <source>The report's text. Ctrl+Enter runs it. Green words are affirmed, red negated, amber uncertain, violet historical, turquoise normal, blue absent, grey not covered or stale, pink contradicted by the picture.</source>
   <translation>Der Text des Befundes. Strg+Eingabe rechnet ihn. Grüne Wörter sind bejaht, rote verneint, gelbe unsicher, violette früher, türkise normal, blaue ohne Fund, graue nicht abgedeckt oder veraltet, rosa widerspricht das Bild.</translation>
  </message>
  <message>
   <source>Undo the last change that the module made to the segments.</source>
   <translation>Die letzte Änderung des Moduls an den Segmenten rückgängig machen.</translation>
  </message>
  <message>
   <source>Wait for the run to end, or cancel it.</source>
   <translation>Warten Sie das Ende des Laufs ab oder brechen Sie ihn ab.</translation>
  </message>
  <message>
   <source>{packages} must be installed first; Apply offers to do it.</source>
   <translation>{packages} muss zuerst installiert werden; Anwenden bietet das an.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.panel_actions</name>
  <message>
   <source>A sentence cannot be empty; delete it in the report instead.</source>
   <translation>Ein Satz kann nicht leer sein; löschen Sie ihn stattdessen im Befund.</translation>
  </message>
  <message>
   <source>All Python packages are there.</source>
   <translation>Alle Python-Pakete sind vorhanden.</translation>
  </message>
  <message>
   <source>The last change was undone.</source>
   <translation>Die letzte Änderung wurde rückgängig gemacht.</translation>
  </message>
  <message>
   <source>The report was changed meanwhile; edit the sentence again.</source>
   <translation>Der Befund wurde inzwischen geändert; bearbeiten Sie den Satz erneut.</translation>
  </message>
  <message>
   <source>The sentence was changed; run it again to bring its segment up to date.</source>
   <translation>Der Satz wurde geändert; rechnen Sie ihn erneut, damit sein Segment wieder stimmt.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.panel_batch</name>
  <message>
   <source>Add volumes with their reports first.</source>
   <translation>Fügen Sie zuerst Volumen mit ihren Befunden hinzu.</translation>
  </message>
  <message>
   <source>Choose a row of the table first.</source>
   <translation>Wählen Sie erst eine Zeile der Tabelle.</translation>
  </message>
  <message>
   <source>Choose a volume and its report above first.</source>
   <translation>Wählen Sie zuerst oben ein Volumen und seinen Befund.</translation>
  </message>
  <message>
   <source>Put the volume above into the table, with the report above.</source>
   <translation>Das Volumen von oben mit dem Befund von oben in die Tabelle setzen.</translation>
  </message>
  <message>
   <source>Report</source>
   <translation>Befund</translation>
  </message>
  <message>
   <source>Run all rows; finished ones are kept, so a run that was stopped goes on where it was.</source>
   <translation>Alle Zeilen berechnen; fertige bleiben, ein angehaltener Lauf geht also dort weiter, wo er war.</translation>
  </message>
  <message>
   <source>Take the chosen volume out of the table; its segments stay.</source>
   <translation>Das gewählte Volumen aus der Tabelle nehmen; seine Segmente bleiben.</translation>
  </message>
  <message>
   <source>The run was stopped; run the table again to go on.</source>
   <translation>Der Lauf wurde angehalten; starten Sie die Tabelle noch einmal, um fortzufahren.</translation>
  </message>
  <message>
   <source>Volume</source>
   <translation>Volumen</translation>
  </message>
  <message>
   <source>What became of it</source>
   <translation>Was daraus wurde</translation>
  </message>
  <message>
   <source>not run yet</source>
   <translation>noch nicht berechnet</translation>
  </message>
  <message>
   <source>{count} segments</source>
   <translation>{count} Segmente</translation>
  </message>
  <message>
   <source>{done} of {total} volumes are done.</source>
   <translation>{done} von {total} Volumen sind fertig.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.panel_choices</name>
  <message>
   <source>Choose the folder or file of the weights.</source>
   <translation>Wählen Sie den Ordner oder die Datei der Gewichte.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.panel_export</name>
  <message>
   <source>Choose a volume and give the report's text first.</source>
   <translation>Wählen Sie zuerst ein Volumen und geben Sie den Befundtext ein.</translation>
  </message>
  <message>
   <source>Copy the command that makes the same run without Slicer, the report's text included.</source>
   <translation>Den Befehl kopieren, der dasselbe ohne Slicer rechnet, samt Befundtext.</translation>
  </message>
  <message>
   <source>Export the segmentation as DICOM SEG.</source>
   <translation>Die Segmentierung als DICOM SEG exportieren.</translation>
  </message>
  <message>
   <source>Save the findings</source>
   <translation>Befunde speichern</translation>
  </message>
  <message>
   <source>Save the findings as a CSV file.</source>
   <translation>Die Befunde als CSV-Datei speichern.</translation>
  </message>
  <message>
   <source>The command was copied.</source>
   <translation>Der Befehl wurde kopiert.</translation>
  </message>
  <message>
   <source>The command was copied; put the path of the volume's file in the place of VOLUME.</source>
   <translation>Der Befehl wurde kopiert; setzen Sie an die Stelle von VOLUME den Pfad der Volumendatei.</translation>
  </message>
  <message>
   <source>The command was copied; save the volume first, as it was changed since it was loaded.</source>
   <translation>Der Befehl wurde kopiert; speichern Sie zuerst das Volumen, denn es wurde seit dem Laden geändert.</translation>
  </message>
  <message>
   <source>The diagnosis was copied; it holds no report text.</source>
   <translation>Die Diagnose wurde kopiert; sie enthält keinen Befundtext.</translation>
  </message>
  <message>
   <source>The table was saved as {path}.</source>
   <translation>Die Tabelle wurde als {path} gespeichert.</translation>
  </message>
  <message>
   <source>There is no finding to save yet.</source>
   <translation>Es gibt noch keinen Befund zu speichern.</translation>
  </message>
  <message>
   <source>There is no segment to send yet.</source>
   <translation>Es gibt noch kein Segment zu senden.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.panel_maps</name>
  <message>
   <source>Choose a sentence and press Explain to see what the network made of it.</source>
   <translation>Wählen Sie einen Satz und drücken Sie Erklären, um zu sehen, was das Netz daraus gemacht hat.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.panel_runs</name>
  <message>
   <source>Cancelling ...</source>
   <translation>Wird abgebrochen ...</translation>
  </message>
  <message>
   <source>{stage}; {count} more waiting</source>
   <translation>{stage}; {count} weitere warten</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.panel_threshold</name>
  <message>
   <source>Choose a sentence that has a segment, or untick Chosen sentence only.</source>
   <translation>Wählen Sie einen Satz mit Segment, oder entfernen Sie das Häkchen bei „Nur der gewählte Satz“.</translation>
  </message>
  <message>
   <source>Cut the segments again at another probability; the network is not run.</source>
   <translation>Die Segmente bei einer anderen Wahrscheinlichkeit neu schneiden; das Netz rechnet dabei nicht.</translation>
  </message>
  <message>
   <source>Run the report first; its probabilities are kept until Slicer or the scene is closed.</source>
   <translation>Rechnen Sie zuerst den Befund; seine Wahrscheinlichkeiten bleiben, bis Slicer oder die Szene geschlossen wird.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.progress_text</name>
  <message>
   <source>Bringing the masks onto the volume</source>
   <translation>Masken werden auf das Volumen gebracht</translation>
  </message>
  <message>
   <source>Explaining</source>
   <translation>Erklären</translation>
  </message>
  <message>
   <source>Loading the network</source>
   <translation>Netz wird geladen</translation>
  </message>
  <message>
   <source>Putting the segments into the scene</source>
   <translation>Segmente werden in die Szene gebracht</translation>
  </message>
  <message>
   <source>Reading the text</source>
   <translation>Text wird gelesen</translation>
  </message>
  <message>
   <source>Reading the volume</source>
   <translation>Volumen wird gelesen</translation>
  </message>
  <message>
   <source>Segmenting</source>
   <translation>Segmentieren</translation>
  </message>
  <message>
   <source>Starting the worker</source>
   <translation>Hilfsprozess startet</translation>
  </message>
  <message>
   <source>Trying the device</source>
   <translation>Gerät wird probiert</translation>
  </message>
  <message>
   <source>Waiting for the run before</source>
   <translation>Wartet auf den Lauf davor</translation>
  </message>
  <message>
   <source>Writing</source>
   <translation>Schreiben</translation>
  </message>
  <message>
   <source>a few seconds left</source>
   <translation>noch wenige Sekunden</translation>
  </message>
  <message>
   <source>about {minutes} min left</source>
   <translation>noch etwa {minutes} min</translation>
  </message>
  <message>
   <source>about {seconds} s left</source>
   <translation>noch etwa {seconds} s</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.readiness</name>
  <message>
   <source>Apply needs more:</source>
   <translation>Zum Anwenden fehlt noch:</translation>
  </message>
  <message>
   <source>Choose a sentence in the table first.</source>
   <translation>Wählen Sie zuerst einen Satz in der Tabelle.</translation>
  </message>
  <message>
   <source>Choose a volume.</source>
   <translation>Wählen Sie ein Volumen.</translation>
  </message>
  <message>
   <source>Segment what the report's sentences say (Ctrl+Enter).</source>
   <translation>Segmentieren, was die Sätze des Befundes sagen (Strg+Eingabe).</translation>
  </message>
  <message>
   <source>The volume holds no image; choose another.</source>
   <translation>Das Volumen enthält kein Bild; wählen Sie ein anderes.</translation>
  </message>
  <message>
   <source>This volume is an explanation map; choose the scan.</source>
   <translation>Dieses Volumen ist eine Erklärungskarte; wählen Sie die Aufnahme.</translation>
  </message>
  <message>
   <source>Type, paste or load the report.</source>
   <translation>Schreiben Sie den Befund, fügen Sie ihn ein, oder laden Sie ihn.</translation>
  </message>
  <message>
   <source>Wait for the run to end, or cancel it.</source>
   <translation>Warten Sie, bis das Rechnen endet, oder brechen Sie es ab.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.report_sources</name>
  <message>
   <source>The report {name!r} is empty; give text with at least one sentence.</source>
   <translation>Der Befund {name!r} ist leer; geben Sie einen Text mit mindestens einem Satz an.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.run</name>
  <message>
   <source>Cancelled as asked; nothing was written.</source>
   <translation>Wie gewünscht abgebrochen; es wurde nichts geschrieben.</translation>
  </message>
  <message>
   <source>The report was changed while it was segmented, so nothing was put into the scene; run it again.</source>
   <translation>Der Befund wurde geändert, während er segmentiert wurde, darum kam nichts in die Szene; starten Sie noch einmal.</translation>
  </message>
  <message>
   <source>The report was removed while it was segmented; nothing was put into the scene.</source>
   <translation>Der Befund wurde entfernt, während er segmentiert wurde; es kam nichts in die Szene.</translation>
  </message>
  <message>
   <source>The scene was closed while the report was segmented; nothing was put into the scene.</source>
   <translation>Die Szene wurde geschlossen, während der Befund segmentiert wurde; es kam nichts in die Szene.</translation>
  </message>
  <message>
   <source>The segmentation was removed while the report was segmented; nothing was put into the scene.</source>
   <translation>Die Segmentierung wurde entfernt, während der Befund segmentiert wurde; es kam nichts in die Szene.</translation>
  </message>
  <message>
   <source>The volume was changed while it was segmented, so nothing was put into the scene; run it again.</source>
   <translation>Das Volumen wurde geändert, während es segmentiert wurde, darum kam nichts in die Szene; starten Sie noch einmal.</translation>
  </message>
  <message>
   <source>The volume was removed while the report was segmented; nothing was put into the scene.</source>
   <translation>Das Volumen wurde entfernt, während der Befund segmentiert wurde; es kam nichts in die Szene.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.run_queue</name>
  <message>
   <source>Cancelled as asked; nothing was written.</source>
   <translation>Wie gewünscht abgebrochen; es wurde nichts geschrieben.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.runner</name>
  <message>
   <source>Cancelled as asked; nothing was written.</source>
   <translation>Wie gewünscht abgebrochen; es wurde nichts geschrieben.</translation>
  </message>
  <message>
   <source>No Python program was found to run the worker with; reinstall 3D Slicer.</source>
   <translation>Es wurde kein Python-Programm für den Arbeitsprozess gefunden; installieren Sie 3D Slicer neu.</translation>
  </message>
  <message>
   <source>The Python package {name} is not installed; install the module's Python packages first.</source>
   <translation>Das Python-Paket {name} ist nicht installiert; installieren Sie zuerst die Python-Pakete des Moduls.</translation>
  </message>
  <message>
   <source>The worker process ended with exit code {number}; memory may have run out: try a smaller volume.</source>
   <translation>Der Arbeitsprozess endete mit Exit-Code {number}; vielleicht reichte der Speicher nicht: versuchen Sie ein kleineres Volumen.</translation>
  </message>
  <message>
   <source>The worker process was ended by signal {number}; memory may have run out: try a smaller volume.</source>
   <translation>Der Arbeitsprozess wurde durch Signal {number} beendet; vielleicht reichte der Speicher nicht: versuchen Sie ein kleineres Volumen.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.segments</name>
  <message>
   <source>The segment {name!r} was edited by hand, expected it as it was made; it is kept: leave its sentence out, or ask for edited segments to be replaced.</source>
   <translation>Das Segment {name!r} wurde von Hand geändert, erwartet wurde es wie erzeugt; es bleibt: lassen Sie seinen Satz weg oder lassen Sie geänderte Segmente ersetzen.</translation>
  </message>
  <message>
   <source>The segmentation {name} is kept as {kind}, expected Binary labelmap; make that its source representation in the Segmentations module.</source>
   <translation>Die Segmentierung {name} ist als {kind} gespeichert, erwartet wurde Binary labelmap; machen Sie das im Modul Segmentations zu ihrer Quelldarstellung.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.started_on</name>
  <message>
   <source>The volume {name!r} is in no scene; add it to one first.</source>
   <translation>Das Volumen {name!r} ist in keiner Szene; fügen Sie es zuerst einer hinzu.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.table_text</name>
  <message>
   <source>Agreement</source>
   <translation>Übereinstimmung</translation>
  </message>
  <message>
   <source>Asked for the finding without its place: {words}</source>
   <translation>Gefragt wurde nach dem Fund ohne seinen Ort: {words}</translation>
  </message>
  <message>
   <source>How sure the network is that the finding is there at all, from 0 to 1.</source>
   <translation>Wie sicher das Netz ist, dass es den Fund überhaupt gibt, von 0 bis 1.</translation>
  </message>
  <message>
   <source>In {field}: {sentence}</source>
   <translation>In {field}: {sentence}</translation>
  </message>
  <message>
   <source>It was not measured whether words and picture agree.</source>
   <translation>Ob Worte und Bild übereinstimmen, wurde nicht gemessen.</translation>
  </message>
  <message>
   <source>Presence</source>
   <translation>Vorhanden</translation>
  </message>
  <message>
   <source>Segment</source>
   <translation>Segment</translation>
  </message>
  <message>
   <source>Sentence</source>
   <translation>Satz</translation>
  </message>
  <message>
   <source>State</source>
   <translation>Zustand</translation>
  </message>
  <message>
   <source>The network did not find what the sentence names.</source>
   <translation>Das Netz hat nicht gefunden, was der Satz nennt.</translation>
  </message>
  <message>
   <source>The scan does not tell its real spacing, so this volume is no real one.</source>
   <translation>Die Aufnahme nennt ihre wirklichen Abstände nicht; daher ist dieses Volumen kein wirkliches.</translation>
  </message>
  <message>
   <source>The sentence has no segment.</source>
   <translation>Der Satz hat kein Segment.</translation>
  </message>
  <message>
   <source>The sentence leaves open whether the finding is there.</source>
   <translation>Der Satz lässt offen, ob der Fund da ist.</translation>
  </message>
  <message>
   <source>The sentence names nothing that these weights know.</source>
   <translation>Der Satz nennt nichts, was diese Gewichte kennen.</translation>
  </message>
  <message>
   <source>The sentence says that something is as it should be.</source>
   <translation>Der Satz sagt, dass etwas ist, wie es sein soll.</translation>
  </message>
  <message>
   <source>The sentence says that the finding is not there.</source>
   <translation>Der Satz sagt, dass der Fund nicht da ist.</translation>
  </message>
  <message>
   <source>The sentence says that the finding is there.</source>
   <translation>Der Satz sagt, dass der Fund da ist.</translation>
  </message>
  <message>
   <source>The sentence tells of the past, not of this scan.</source>
   <translation>Der Satz berichtet von früher, nicht von dieser Aufnahme.</translation>
  </message>
  <message>
   <source>The sentence was edited since it was run.</source>
   <translation>Der Satz wurde bearbeitet, seit er gerechnet wurde.</translation>
  </message>
  <message>
   <source>The sentence was not run yet.</source>
   <translation>Der Satz wurde noch nicht gerechnet.</translation>
  </message>
  <message>
   <source>Volume of the segment in millilitres.</source>
   <translation>Volumen des Segments in Millilitern.</translation>
  </message>
  <message>
   <source>absent</source>
   <translation>ohne Fund</translation>
  </message>
  <message>
   <source>affirmed</source>
   <translation>bejaht</translation>
  </message>
  <message>
   <source>agrees</source>
   <translation>stimmt überein</translation>
  </message>
  <message>
   <source>contradicts</source>
   <translation>widerspricht</translation>
  </message>
  <message>
   <source>differs</source>
   <translation>weicht ab</translation>
  </message>
  <message>
   <source>historical</source>
   <translation>früher</translation>
  </message>
  <message>
   <source>mL</source>
   <translation>ml</translation>
  </message>
  <message>
   <source>negated</source>
   <translation>verneint</translation>
  </message>
  <message>
   <source>normal</source>
   <translation>normal</translation>
  </message>
  <message>
   <source>not covered</source>
   <translation>nicht abgedeckt</translation>
  </message>
  <message>
   <source>not run</source>
   <translation>nicht gerechnet</translation>
  </message>
  <message>
   <source>stale</source>
   <translation>veraltet</translation>
  </message>
  <message>
   <source>uncertain</source>
   <translation>unsicher</translation>
  </message>
  <message>
   <source>unclear</source>
   <translation>unklar</translation>
  </message>
  <message>
   <source>{name} (edited)</source>
   <translation>{name} (bearbeitet)</translation>
  </message>
  <message>
   <source>{name}: tick to show the segment.</source>
   <translation>{name}: Häkchen setzen, um das Segment zu zeigen.</translation>
  </message>
  <message>
   <source>{state} (forced)</source>
   <translation>{state} (erzwungen)</translation>
  </message>
  <message>
   <source>{volume} (nominal)</source>
   <translation>{volume} (nominell)</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.temporary</name>
  <message>
   <source>No temporary folder could be made ({why}); free disk space, or set another temporary folder in the environment variable TMPDIR and start again.</source>
   <translation>Es konnte kein temporärer Ordner angelegt werden ({why}); schaffen Sie Platz oder setzen Sie in der Umgebungsvariablen TMPDIR einen anderen Ordner und starten Sie neu.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.threshold</name>
  <message>
   <source>The threshold is {given}; give a number from {lowest} to 1.</source>
   <translation>Der Schwellenwert ist {given}; geben Sie eine Zahl von {lowest} bis 1 an.</translation>
  </message>
  <message>
   <source>The volume was changed since it was segmented; press Apply to segment it again.</source>
   <translation>Das Volumen wurde geändert, seit es segmentiert wurde; drücken Sie Anwenden, um es neu zu segmentieren.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.volume_files</name>
  <message>
   <source>No volume was given; choose a volume with voxels.</source>
   <translation>Es wurde kein Volumen angegeben; wählen Sie ein Volumen mit Voxeln.</translation>
  </message>
  <message>
   <source>The volume was changed while it was handed to the worker; run it again.</source>
   <translation>Das Volumen wurde geändert, während es an den Arbeitsprozess ging; starten Sie noch einmal.</translation>
  </message>
  <message>
   <source>The volume {name!r} holds no image; choose a volume with voxels.</source>
   <translation>Das Volumen {name!r} enthält kein Bild; wählen Sie ein Volumen mit Voxeln.</translation>
  </message>
  <message>
   <source>The volume {name!r} holds {count} numbers per voxel; expected 1 (grey), 3 (RGB) or 4 (RGBA); extract one of them as a volume of its own.</source>
   <translation>Das Volumen {name!r} enthält {count} Zahlen je Voxel; erwartet wurden 1 (grau), 3 (RGB) oder 4 (RGBA); machen Sie aus einer davon ein eigenes Volumen.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.weights_card</name>
  <message>
   <source>No figure was measured.</source>
   <translation>Es wurde keine Kennzahl gemessen.</translation>
  </message>
  <message>
   <source>No sentence of this report names a finding that these weights know, so none will get a segment.</source>
   <translation>Kein Satz dieses Befundes nennt einen Fund, den diese Gewichte kennen; daher bekommt keiner ein Segment.</translation>
  </message>
  <message>
   <source>TMCA (this project's reading of the abstract of arXiv 2412.13533)</source>
   <translation>TMCA (Lesart dieses Projekts der Zusammenfassung von arXiv 2412.13533)</translation>
  </message>
  <message>
   <source>The weights cannot be read ({why}); choose others.</source>
   <translation>Die Gewichte können nicht gelesen werden ({why}); wählen Sie andere.</translation>
  </message>
  <message>
   <source>These weights were trained on {modality}, and the values of this volume do not look like CT.</source>
   <translation>Diese Gewichte wurden mit {modality} trainiert, und die Werte dieses Volumens sehen nicht nach CT aus.</translation>
  </message>
  <message>
   <source>These weights were trained on {modality}, and this volume is {known}.</source>
   <translation>Diese Gewichte wurden mit {modality} trainiert, und dieses Volumen ist {known}.</translation>
  </message>
  <message>
   <source>These weights were trained on {modality}, and this volume looks like CT.</source>
   <translation>Diese Gewichte wurden mit {modality} trainiert, und dieses Volumen sieht nach CT aus.</translation>
  </message>
  <message>
   <source>{count} of {total} sentences name no finding that these weights know; they get no segment.</source>
   <translation>{count} von {total} Sätzen nennen keinen Fund, den diese Gewichte kennen; sie bekommen kein Segment.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.worker_messages</name>
  <message>
   <source>The worker ended without a result; run it again.</source>
   <translation>Der Arbeitsprozess endete ohne Ergebnis; starten Sie noch einmal.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.worker_process</name>
  <message>
   <source>The worker {program} could not be started: {why}; reinstall 3D Slicer or the extension.</source>
   <translation>Der Arbeitsprozess {program} konnte nicht gestartet werden: {why}; installieren Sie 3D Slicer oder die Erweiterung neu.</translation>
  </message>
 </context>
</TS>
